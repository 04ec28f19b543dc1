"""The tour's steps: predict, do, and see, on each page, with numbers that the exploration fills in."""

from __future__ import annotations

from cfs_explore.ui import tour_facts as facts
from cfs_explore.ui.tour_step import Step

#: The exploration that the tour walks through; it comes with the project.
RUN = "digits"
MINUTES = 20

#: How both steps on the probe page open it.
_PROBE = {
    "ood": facts.LETTERS,
    "probe_lam": "{lam}",
    "probe_draw": "0",
    "probe_a": "{digit}",
    "probe_b": "{letter}",
    "probe_encoder": "{encoder}",
    "probe_decoder": "{decoder}",
}
STEPS = (
    Step(
        "map",
        "Map",
        "Where the letters stand out",
        {"ood": facts.LETTERS, "metric": "auroc", "click": "open", "cell": "{start_cell}"},
        "The strongest cell scores a letter and a digit. In how many of 100 such pairs is the letter's score higher?",
        ("about 50", "about 75", "more than 90"),
        "{pairs_range}",
        "A network that was trained on the digits 0 to 6 is shown letters. On the large map, every column is a tap and "
        "every row a noise level: click the cell with the star, {cell}.",
        ("cell", "{best_cell}"),
        ".st-key-map",
        "The strongest cell has AUROC {auroc} (beside the map): a random letter scores higher than a random digit in "
        "{pairs} of 100 pairs. In the bottom row, where the network gets almost nothing but noise, no cell has more "
        "than {noisiest_auroc}; 0.5 is chance.",
        {
            "tap": "tap",
            "noise level": "noise level",
            "cell": "cell",
            "AUROC": "AUROC",
        },
        facts.on_map,
    ),
    Step(
        "probe",
        "Probe",
        "What a noise level is",
        _PROBE,
        "At λ = {noisy}, which will have more weight?",
        ("the image", "the noise"),
        "{heavier}",
        "Move the slider **Noise level λ, from noisy to clean** to the left, by mouse or arrow keys, until it stands "
        "at λ = {noisy}. Then move it back to the tick 5.",
        ("probe_lam", "{noisy_told}"),
        ".st-key-probe_film",
        "A noise level sets the weights of image and noise: {a} and {b} at the tick 5, where you hardly see the noise; "
        "{noisy_a} and {noisy_b} at λ = {noisy}. There, compare the network's guesses: it was trained on digits only.",
        {"noise level": "noise level", "λ": "log-SNR λ"},
        facts.on_noise,
    ),
    Step(
        "probe",
        "Probe",
        "What a snapshot is",
        _PROBE,
        "Which will have the higher slot score?",
        ("a typical digit", "a typical letter"),
        "a typical {higher}",
        "Under {decoder_label} (decoder), compare the rows A and B: each little picture is one channel. Then move "
        "the slider **Noise draw**.",
        ("probe_draw", ""),
        ".st-key-probe_film",
        "Of each of the {channels} channels only the mean and the standard deviation are kept: {features} numbers, the "
        "snapshot. Their mean squared z-score is the slot score: {digit_score} for a typical digit, {letter_score} "
        "for a typical letter. Another draw changes only the noise, and these numbers little.",
        {
            "snapshot": "snapshot",
            "channel": "channel",
            "z-score": "z-score",
            "slot score": "slot score",
            "draw": "draw",
        },
        facts.on_noise,
    ),
    Step(
        "images",
        "Images",
        "Every image as a point",
        {
            "ood": facts.LETTERS,
            "images_sets": "{sets}",
            "images_taps": "{taps}",
            "images_method": "pca",
            "images_colour": "dataset",
            "images_picked": "none",
        },
        "In a picture with two dimensions, where will the letters lie?",
        ("apart from the digits", "among the digits"),
        "among the digits",
        "Point at a few letters (orange), and click one in the middle of the digits: its nearest digits appear beside "
        "the picture.",
        ("images_picked", ""),
        ".st-key-beside_images",
        "In two dimensions the letters lie among the digits. In all {features} dimensions of the snapshots they do "
        "not: only {share} of them have a digit as nearest neighbour, against {chance} in a random mix. A scatter plot "
        "can hide what a score finds.",
        {"snapshots": "snapshot"},
        facts.on_images,
    ),
    Step(
        "separation",
        "Separation",
        "Why a diagonal score",
        {"ood": facts.LETTERS, "cell": "{cell}", "separation_view": "cells"},
        "What will raise the letters' scores more?",
        ("shifted means", "larger variances"),
        "{larger}",
        "Read the bars at the right: they show what raises the letters' mean score by Δ = {delta}. Then choose "
        "**Heads** under **Look closer**.",
        ("separation_view", "heads"),
        ".st-key-separation_parts",
        "A mean of squared z-scores can rise for two reasons only: a mean shift ({shift}) and a variance change "
        "({variance}). It needs no more than a mean and a variance per number. Its price: k-nearest neighbours, which "
        "also use how the numbers vary together, reach AUROC {knn} here, the diagonal {diagonal}.",
        {
            "mean shift": "mean shift and variance change",
            "z-scores": "z-score",
            "diagonal": "diagonal head",
        },
        facts.on_separation,
    ),
    Step(
        "complementarity",
        "Complementarity",
        "Why encoder and decoder",
        {
            "ood": facts.LETTERS,
            "comp_level": "{level}",
            "comp_first": "{first}",
            "comp_second": "{second}",
            "comp_scale": "ln s",
            "comp_view": "levels",
            "comp_caught": "decoder",
        },
        "Will the average of both beat the better one?",
        ("yes", "no"),
        "{pays}",
        "Compare the AUROCs under **Each alone, and together**. Then choose **Images** under **Look closer**.",
        ("comp_view", "images"),
        ".st-key-beside_complementarity",
        "The encoder has AUROC {encoder}, the decoder {decoder}. Among letters and digits that the encoder scores "
        "alike, the decoder still reaches {adjusted}: it adds information, and it alone catches {caught} letters. "
        "Yet the plain average of both has {average}, less than the decoder.",
        {"encoder": "encoder and decoder", "AUROC": "AUROC", "alike": "adjusted AUROC", "plain average": "CFS(1x2)"},
        facts.on_complementarity,
    ),
    Step(
        "lab",
        "Lab",
        "When an average hurts",
        {"lab": "pair"},
        "The encoder's shift is {encoder_shift}. From which decoder shift on will the average pay?",
        ("0.4", "{pays}", "{encoder_shift}"),
        "{pays}",
        "Press **Averaging hurts**. Then move the slider **Decoder shift** from {start} to the right until the "
        "headline says that averaging helps.",
        ("lab_shift_d", ">={pays}"),
        ".st-key-lab_pair_curve",
        "These scores are simulated, so the truth is known. With the encoder's shift at {encoder_shift} and "
        "correlation {correlation}, the average beats the encoder alone from a decoder shift of {pays} on (7). Below "
        "that, the weak decoder has more weight than it deserves.",
        {"encoder": "encoder and decoder"},
        facts.on_lab,
    ),
    Step(
        "stability",
        "Stability",
        "Why low noise, and when not",
        {"ood": facts.LETTERS, "stability_tap": "{tap}", "stability_measure": "icc_features"},
        "At which noise will its AUROC be highest?",
        ("the least", "in between", "the most"),
        "{where}",
        "Under **What survives**, follow the line of {name} from clean to noisy. Then look for the highest point under "
        "**What it is worth**.",
        None,
        ".st-key-beside_stability",
        "At λ = {lam}, {icc} of the variance of its snapshots is the image's own (ICC); at λ = {noisy} it is "
        "{noisy_icc}, the rest is the noise draw's. Still, its AUROC is highest at λ = {peak}: {peak_auroc} against "
        "{auroc}. Low noise is reliable, not always best.",
        {"λ": "log-SNR λ", "ICC": "ICC", "AUROC": "AUROC", "draw": "draw"},
        facts.on_stability,
    ),
    Step(
        "controls",
        "Controls",
        "What could fool us",
        {
            "ood": facts.EASY,
            "controls_against": "untrained",
            "controls_draws": "one",
            "controls_view": "statistics",
        },
        "How well will an untrained network tell inverted digits from digits?",
        ("not at all", "less well", "as well as the trained one"),
        "{easy}",
        "Read the dots under **Best against best** for inverted digits. Then set **OOD set** to letters.",
        ("ood", "{letters}"),
        ".st-key-controls_dots",
        "Inverted digits: the trained network has AUROC {easy_trained}, but untrained copies "
        "reach {easy_untrained} and a single image statistic {easy_statistic}. That map says nothing about what was "
        "learned. Letters: {trained} trained against {untrained} untrained, an excess of {excess}.",
        {"untrained copies": "control", "excess": "excess"},
        facts.on_controls,
    ),
    Step(
        "triage",
        "Triage",
        "What a practitioner does",
        {
            "ood": facts.LETTERS,
            "detector": "CFS(1x2)",
            "triage_rate": "{rate}",
            "triage_by": "alarm",
            "triage_page": "1",
        },
        "How many of the letters will be flagged?",
        ("less than a third", "about half", "more than two thirds"),
        "{share}",
        "Someone hands you {of} pictures: which are not digits? Move the slider **False-alarm rate, expected** from "
        "{rate} % to {low_rate} %.",
        ("triage_rate", "{low_rate}"),
        ".st-key-triage_histogram",
        "At {rate} %, {many} of {of} are flagged; {expected} would be expected if all were digits. At {low_rate} %, "
        "{few}. Digits alone set the threshold, by conformal p-values; fewer false alarms mean fewer catches. You can "
        "save the table below.",
        {"false alarms": "false-alarm rate", "conformal p-values": "conformal p-value"},
        facts.on_triage,
    ),
    Step(
        "image",
        "One image",
        "One image through all cells",
        {
            "role": "ood",
            "set": facts.LETTERS,
            "image": "{image}",
            "cell": "{cell}",
            "image_value": "percentile",
        },
        "Will every letter stand out somewhere?",
        ("yes", "no"),
        "no",
        "This is the letter with the highest score. Look at its map, then choose other letters under **Image** until "
        "the headline calls one ordinary.",
        ("image", ""),
        ".st-key-map_of_image",
        "The first letter is in the top 1 % of ID-test in {count} of {cells} cells; p = {p}, how rare that is among "
        "{n} digits. Letters that look like digits get through: no detector catches all. With **New exploration**, you "
        "map your own images.",
        {"ID-test": "ID, in-distribution", "cells": "cell", "p": "conformal p-value"},
        facts.on_image,
    ),
)
