"""What the recogniser is asked for while it learns: letters, phonemes half way up, and one mind about both.

Legend of shapes: b recordings, s samples, t frames, l labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ForCTC

from scripts.base_model import devices
from thanosql_ctc.batch_invariant import output_frames, padded_forward

_AGREEMENT = 0.2


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read in one view of a batch.

    Attributes:
        letters_btl: Log probabilities of letters; label 0 is the blank, here and below.
        phonemes_btl: Of phonemes.
        frames: True frames of each recording; on the host.
    """

    letters_btl: Tensor
    phonemes_btl: Tensor
    frames: Tensor

    def views(self, count: int) -> list["Reading"]:
        """Take apart what was read in so many views, one behind the other."""
        parts = zip(
            self.letters_btl.chunk(count),
            self.phonemes_btl.chunk(count),
            self.frames.chunk(count),
            strict=True,
        )
        return [
            Reading(letters_btl=letters_btl, phonemes_btl=phonemes_btl, frames=frames)
            for letters_btl, phonemes_btl, frames in parts
        ]


class Learner(nn.Module):
    """The recogniser and what only its training needs: a head that writes phonemes half way up.

    Args:
        model: The recogniser.
        phonemes: How many there are, the blank not counted.
        share: Of the loss, for the phonemes (Lee and Watanabe 2021 read letters half way up; Fernandez,
            Graves and Schmidhuber 2007 read phonemes below words).
    """

    def __init__(self, model: Wav2Vec2ForCTC, phonemes: int, share: float = 0.3) -> None:
        super().__init__()
        self.model = model
        self.phoneme_head = nn.Linear(model.config.hidden_size, phonemes + 1)
        self._share = share

    def forward(self, samples_bs: Tensor, lengths: list[int]) -> Reading:
        """Read letters and phonemes."""
        encoder = self.model.wav2vec2.encoder
        middle: list[Tensor] = []
        hook = encoder.layers[len(encoder.layers) // 2 - 1].register_forward_hook(
            lambda _module, _inputs, output: middle.append(output[0] if isinstance(output, tuple) else output)
        )
        with devices.bfloat16(samples_bs.device):
            letters_btl, _ = padded_forward(self.model, samples_bs, lengths)
            phonemes_btl = self.phoneme_head(encoder.layer_norm(middle[0]))
        hook.remove()
        return Reading(
            letters_btl=letters_btl.float().log_softmax(-1),
            phonemes_btl=phonemes_btl.float().log_softmax(-1),
            # Counted again on the host, where CTC wants them: a GPU would have to be waited for.
            frames=torch.tensor([output_frames(self.model.config, length) for length in lengths]),
        )

    def loss(
        self, readings: Sequence[Reading], letters: list[list[int]], phonemes: list[list[int]]
    ) -> Tensor:
        """Return the loss per letter and per phoneme, in their shares.

        Args:
            readings: Of the same speech, each hidden and varied in its own way.
            letters: What is said in each recording.
            phonemes: The same, as it sounds.
        """
        frames = readings[0].frames
        above = _loss([reading.letters_btl for reading in readings], frames, letters)
        below = _loss([reading.phonemes_btl for reading in readings], frames, phonemes)
        return (1 - self._share) * above + self._share * below


def _loss(views: Sequence[Tensor], frames: Tensor, targets: list[list[int]]) -> Tensor:
    """Per label. Noise has no labels: it counts as if it were slow speech, a label every fourth frame."""
    labels = max(sum(map(len, targets)), float(frames.sum()) / 4)
    wrong = sum(ctc_loss(view, frames, targets) for view in views) / len(views)
    return (wrong + _AGREEMENT * disagreement(views, frames)) / labels


def ctc_loss(log_probs_btl: Tensor, frames: Tensor, targets: list[list[int]]) -> Tensor:
    """Return the loss of a batch, summed.

    Args:
        log_probs_btl: On any device.
        frames: True frames of each recording; on the host.
        targets: Labels of each recording.
    """
    labels = torch.tensor([label for target in targets for label in target], dtype=torch.long)
    return nn.functional.ctc_loss(
        log_probs_btl.transpose(0, 1),
        devices.put(labels, log_probs_btl.device),
        frames,
        torch.tensor([len(target) for target in targets]),
        blank=0,
        reduction="sum",
        zero_infinity=True,
    )


def disagreement(views: Sequence[Tensor], frames: Tensor) -> Tensor:
    """Return how far each view is from what each other one says, summed over true frames.

    The other one stands still: Kullback and Leibler's divergence from it, as in consistency-regularised CTC
    (Yao et al. 2025).
    """
    device = views[0].device
    true_bt = torch.arange(views[0].shape[1], device=device) < devices.put(frames, device)[:, None]
    apart = [
        nn.functional.kl_div(view, other.detach(), reduction="none", log_target=True)
        .sum(-1)
        .masked_fill(~true_bt, 0.0)
        .sum()
        for view, other in permutations(views, 2)
    ]
    return sum(apart, start=torch.zeros((), device=device)) / max(len(apart), 1)
