"""Exercise 03a · Leaky ReLU

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 03

Where ReLU is silent its slope is 0: a neuron whose sums are all negative learns nothing any more. Leaky ReLU
lets a little through: y = x where x > 0, else y = slope · x (Maas, Hannun & Ng 2013).

With the slope 0.1, the sums 3, 0 and −2 become 3, 0 and −0.2. Say the gradient of the output is 5 at each of
them. Then the gradient of the input is 5, 0.5 and 0.5: at the kink PyTorch takes the slope of the left side.

Write `forward` and `backward`. Leave the input as it is. PyTorch's is `nn.LeakyReLU`.
"""

from torch import Tensor

from lessons.lesson03_activations import Activation


class LeakyReLU(Activation):
    """y = x where x > 0, else slope · x. x: any shape → y: the same shape. `slope` lies between 0 and 1."""

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        raise NotImplementedError("write backward")
