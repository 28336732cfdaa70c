"""The one error of this room."""


class WeightsError(ValueError):
    """A weights file that cannot be used, or does not fit; the model is untouched."""
