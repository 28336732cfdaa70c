"""From a model to what is deployed."""
