"""The final project: your own pieces in the network that reads MNIST.

As it stands, this file trains what `curriculum mnist --engine scratch` trains. Put your own pieces in, one
at a time: the activation of exercise 03a, the optimiser of 12a, or something that nobody has thought of.
Copy the class into this file, with the imports that it needs. Then train, and look at it beside the others:

    curriculum mnist --engine mine            # --lr 0.001 for Adam and its kin
    curriculum tensorboard

The pieces keep the contract of the lessons. An activation has `forward(x)` and `backward(grad_y)`. A loss
has `forward(logits, target)`, which gives one number, and `backward()`, which gives the gradient of the
logits. An optimiser is made from the parameters by name, has a learning rate `lr`, and `step(grads)` changes
them in place.
"""

from lessons.lesson03_activations import ReLU
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD

Activation = ReLU  # called without arguments, once for each hidden layer
Loss = CrossEntropyLoss  # called without arguments
Optimizer = SGD  # called with params (a dictionary) and lr
