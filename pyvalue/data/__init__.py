"""Files shipped with the package: the bundled inventory, word lists of personas, the demo autoencoder."""
