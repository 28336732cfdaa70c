"""`python -m keras_resnet.cli`."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_resnet.cli import main

sys.exit(main())
