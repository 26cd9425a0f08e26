"""Model cards: what weights are, what they were made from, what they may be used for and where they fail.

`write_card` writes the card of a checkpoint or of an entry of models/weights.toml from the file itself, so that a card cannot
say what the weights do not.
"""

from __future__ import annotations

from tasks.model_cards.cards import describe_weights, write_card

__all__ = ["describe_weights", "write_card"]
