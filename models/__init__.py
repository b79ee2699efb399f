"""The destination: the MLP that reads MNIST digits, from scratch, with torch.nn and with Lightning."""
