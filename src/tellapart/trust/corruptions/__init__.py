"""Images made worse on purpose: fifteen kinds of corruption, each in five strengths.

::

    kinds          the two families, and `corrupt`: uint8 images in, uint8 images out
    measuring      the accuracy on them, by kind and strength
    page           its page
    drawings       for drawings on a plain background, after MNIST-C
    photographs    for photographs, after ImageNet-C
    weather        fog, snow, frost and spatter
    strokes        lines drawn over images, and the edges of images
    jpeg           the loss of JPEG compression
    filters        blurs, and images moved by a map
    draws          random numbers that do not depend on batches or on the strength
"""
