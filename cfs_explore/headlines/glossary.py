"""The words that a newcomer may not know, each in a sentence or two, with its formula's number in docs/theory.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """One entry.

    Attributes:
        term: as the pages write it.
        meaning: plain text.
        theory: number of the formula in docs/theory.md; None where there is none.
    """

    term: str
    meaning: str
    theory: int | None = None


_WORDS = (
    Word(
        "ID, in-distribution",
        "The kind of images that the backbone was trained on. ID-train fits the statistics; ID-test, other images of "
        "the same kind, is scored.",
    ),
    Word("OOD, out-of-distribution", "Any other kind of images, which a detector should tell from ID."),
    Word(
        "backbone", "The trained diffusion network whose activations are read. It is frozen: nothing here changes it."
    ),
    Word(
        "noise level",
        "How much noise the backbone's input carries, written as its log-SNR λ: high is clean, low is noisy.",
        1,
    ),
    Word(
        "log-SNR λ",
        "ln(a²/b²) of the input a x₀ + b e, the image x₀ mixed with noise e. At λ = 0 both have equal weight; at λ = 5 "
        "the noise has a 12th of the image's weight.",
        1,
    ),
    Word(
        "draw",
        "One sample of the noise e. Scores are averaged over several draws, so that they depend less on chance; a "
        "draw is the same at every level and tap.",
    ),
    Word(
        "tap",
        "Where inside the backbone the activations are read: the output of one block.",
    ),
    Word(
        "encoder and decoder",
        "The two halves of the network: the encoder shrinks the image to a small grid of numbers, the decoder turns "
        "that back into an estimate of the noise.",
    ),
    Word(
        "channel",
        "One of the grids of numbers in a block's output; each responds to a pattern of its own.",
    ),
    Word(
        "snapshot",
        "What is kept of a tap's activations for one image: the mean and the standard deviation of every channel over "
        "space.",
        2,
    ),
    Word("cell", "One tap at one noise level: a cell of the map."),
    Word(
        "z-score",
        "By how many ID-train standard deviations a number lies above (+) or below (−) the ID-train mean.",
        3,
    ),
    Word(
        "slot score", "An image's score in one cell: the mean squared z-score of its snapshot. Higher is more OOD.", 3
    ),
    Word(
        "diagonal head",
        "The rule that turns a snapshot into a slot score. It uses the mean and the variance of each feature and "
        "ignores correlations: of the covariance matrix, only the diagonal.",
        3,
    ),
    Word(
        "CFS(1x2)",
        "The published detector: the mean of two slot scores, of one encoder and one decoder tap at one noise level. "
        "CFS-dec(1x1) is the decoder tap alone; CFS(K x L) averages K levels x L taps.",
        4,
    ),
    Word("AUROC", "Chance that a random OOD image scores higher than a random ID image; 0.5 = no signal, 1 = perfect."),
    Word(
        "AUPR",
        "Average precision: for each OOD image, the share of OOD images among all that score at least as high, "
        "averaged; 1 = perfect.",
    ),
    Word("FPR95", "Share of ID images flagged when 95 % of the OOD images are caught; lower is better."),
    Word(
        "95 % interval",
        "The two numbers in brackets: the range that would hold the true value in 95 of 100 repetitions with other "
        "images. It is wider with fewer images, and never certain.",
    ),
    Word(
        "honest",
        "Of a best cell: picked on one half of the images and judged on the other. The largest of many numbers, judged "
        "on the images that chose it, is too good.",
    ),
    Word(
        "D²",
        "Squared distance between the ID and the OOD mean score, in standard deviations; larger separates better.",
        5,
    ),
    Word("gain", "What one score adds to D² when the other is known; never below 0.", 6),
    Word(
        "adjusted AUROC",
        "AUROC of one score among images with a similar other score; at 0.5 it adds nothing.",
        8,
    ),
    Word(
        "mean shift and variance change",
        "The two parts of Δ, the OOD mean score minus the ID mean score: features whose mean moves, and features "
        "that vary more or less.",
        10,
    ),
    Word(
        "effective dimension",
        "The number of independent features whose score would vary as much as that of these correlated ones.",
        11,
    ),
    Word(
        "ICC",
        "Intraclass correlation: the share of the variance that is the image's own; the rest comes from the noise "
        "draw. 1 is perfect, 0 is noise alone.",
        14,
    ),
    Word("plateau", "The neighbouring noise levels at which a tap's AUROC is within 0.01 of its highest."),
    Word(
        "control",
        "The same measurement with something taken away: an untrained copy of the network, re-encoded images, or plain "
        "image statistics. What a control achieves, too, does not come from what was taken away.",
        18,
    ),
    Word("excess", "AUROC of the trained backbone minus that of a control.", 18),
    Word(
        "first weights",
        "The random weights that a training begins with, its step 0. What the backbone has above them came with "
        "training.",
        38,
    ),
    Word(
        "false-alarm rate",
        "The share of ID images that would be flagged, on average.",
    ),
    Word(
        "conformal p-value",
        "One plus the number of ID-test images that score at least as high, divided by one plus their number. "
        "An ID image gets a p-value of at most α with a chance of at most α.",
    ),
    Word("percentile", "The percentage of ID-test images that score lower; ties count half."),
)

#: Term -> its entry, in the order in which a reader meets them.
GLOSSARY: dict[str, Word] = {word.term: word for word in _WORDS}
