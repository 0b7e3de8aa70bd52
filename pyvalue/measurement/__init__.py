"""Ask an inventory of a language model under personas and edits."""
