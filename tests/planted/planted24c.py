"""Answers to exercise 24c as learners write them."""

import torch


class ListsOfPairs:
    def __init__(self, params, lr):
        self.lr = lr
        self.both = [(name, param, param.to(torch.float32)) for name, param in params.items()]

    def step(self, grads):
        for name, param, master in self.both:
            master += -self.lr * grads[name].to(torch.float32)
            param[...] = master


class NewMasters(ListsOfPairs):
    def step(self, grads):
        after = []
        for name, param, master in self.both:
            moved = torch.add(master, grads[name].float(), alpha=-self.lr)
            param.copy_(moved.bfloat16())
            after.append((name, param, moved))
        self.both = after


class OnlyBf16(ListsOfPairs):
    def step(self, grads):
        for name, param, _ in self.both:
            param.add_(-self.lr * grads[name])


class MastersFromWeights(ListsOfPairs):
    def step(self, grads):
        for name, param, _ in self.both:
            master = param.float() - self.lr * grads[name].float()
            param.copy_(master)


class ForgetsTheModel(ListsOfPairs):
    def step(self, grads):
        for name, _, master in self.both:
            master -= self.lr * grads[name]


class Late(ListsOfPairs):
    def step(self, grads):
        for _, param, master in self.both:
            param.copy_(master)
        for name, _, master in self.both:
            master -= self.lr * grads[name].float()


class Up(ListsOfPairs):
    def step(self, grads):
        for name, param, master in self.both:
            master += self.lr * grads[name].float()
            param.copy_(master)


class HalfTheRate(ListsOfPairs):
    def step(self, grads):
        for name, param, master in self.both:
            master -= 0.5 * self.lr * grads[name].float()
            param.copy_(master)


RIGHT = [ListsOfPairs, NewMasters]
WRONG = [
    ("moved in bf16: small steps are lost", OnlyBf16),
    ("moved in bf16: small steps are lost", MastersFromWeights),
    ("weights not written back", ForgetsTheModel),
    ("written back before the step", Late),
    ("sign", Up),
    ("", HalfTheRate),
]
