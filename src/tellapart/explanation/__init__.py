"""Why a classifier answers as it does, and whether a heat map of its reasons is worth looking at.

::

    grad_cam, integrated_gradients, occlusion    one way each to compute a heat map
    methods         the table of these ways; adding one is one entry
    neighbours      the training images that are nearest by features
    kinds           which kind of mistake it is, with the figure behind it
    neighbourhood   a run's training images as neighbours, and what is usual among them
    explaining      all of this for several images
    entries         one explained image, and all of them
    colouring       heat maps as images
    page            the page; explanation.css is what it adds to the report's style
    output          writing the page, and the maps as PNG
    check           whether the maps of each method follow the network, by
                    perturbation (insertion and deletion), randomization (of the network's
                    weights), edges (a detector to be better than) and verdicts (the rules)
    checked         what the check found
    check_page      the page of the check, with its check_charts and check.css

A heat map has one number per pixel: above 0 it speaks for a class, below 0 against it. It explains
the network's score of that class before the softmax, in eval mode, as a function of the normalised
image. An image in the normalised form is 0 where it has the mean colour of the training images;
this is the colour that stands for "nothing is here" everywhere in this package.
"""
