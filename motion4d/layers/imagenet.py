"""Mean and standard deviation (R, G, B in [0, 1]) by which networks that began on ImageNet normalise their images."""

IMAGE_MEAN, IMAGE_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
