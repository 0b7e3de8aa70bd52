"""A language model, its sparse autoencoders, and edits of its residual stream."""
