"""Architectures of `keras.applications`, without their trained weights, giving logits.

Where the scaling of pixels from [0, 255] can be left out it is: the inputs are standard normal.
"""

from __future__ import annotations

from functools import partial

import keras

SIZE = 64


def _application(create, **options) -> keras.Model:
    images = keras.Input((SIZE, SIZE, 3), name="x")
    return create(weights=None, input_tensor=images, classifier_activation=None, **options)


resnet50 = partial(_application, keras.applications.ResNet50)
mobilenet_v3_small = partial(
    _application, keras.applications.MobileNetV3Small, include_preprocessing=False
)
efficientnet_b0 = partial(_application, keras.applications.EfficientNetB0)
densenet121 = partial(_application, keras.applications.DenseNet121)
convnext_tiny = partial(_application, keras.applications.ConvNeXtTiny, include_preprocessing=False)
