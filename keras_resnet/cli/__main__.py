"""`python -m keras_resnet.cli`."""

import sys

from keras_resnet.cli import main

sys.exit(main())
