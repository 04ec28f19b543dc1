"""Columns of every table of a run, by kind: what an imported table must hold so that the pages can read it.

Kinds: f float, i whole number, b truth value, s text, x bytes, I list of whole numbers. A "?" behind a column's name
means that values may be missing, a "*" that the column may. An empty table may lack any.
"""

from __future__ import annotations

#: Written with the map: every run has these.
BASE_TABLES = ("auroc_map", "detectors", "best_cell", "heads", "skipped")

#: images.parquet.
IMAGE_COLUMNS = {
    "s": "dataset role image_id content_id* name label? group?* format mode colour*",
    "i": "width height",
    "x": "thumbnail",
}

#: Table -> kind -> columns.
TABLE_COLUMNS: dict[str, dict[str, str]] = {
    "auroc_map": {
        "i": "level tap_index resolution n_id n_ood draws id_groups* ood_groups* shared_groups*",
        "s": "tap region ood",
        "f": (
            "depth lam requested auroc auroc_lo auroc_hi draw_sd aupr aupr_lo aupr_hi aupr_id fpr95 fpr95_lo fpr95_hi"
        ),
    },
    "detectors": {
        "s": "name ood",
        "I": "cell_indices",
        "f": "auroc lo hi aupr aupr_lo aupr_hi fpr95 fpr95_lo fpr95_hi effective",
        "i": "n_id n_ood cells levels draws forwards id_groups* ood_groups* shared_groups*",
    },
    "best_cell": {
        "f": "honest honest_lo honest_hi naive naive_lo naive_hi split_sd",
        "i": "repeats cell_index n_id n_ood",
        "s": "ood",
    },
    "heads": {
        "s": "head note taps ood",
        "f": "auroc* lo* hi*",
        "i": "n_id n_ood",
    },
    "skipped": {
        "s": "name reason dataset role",
    },
    "complementarity": {
        "s": "ood preset encoder decoder scale better",
        "i": (
            "level adjusted_d_n_id adjusted_d_n_ood adjusted_e_n_id adjusted_e_n_ood caught_both "
            "caught_encoder caught_decoder caught_neither n_id n_ood"
        ),
        "f": (
            "lam d2 d2_lo d2_hi d2_e d2_e_lo d2_e_hi d2_d d2_d_lo d2_d_hi gain_d gain_d_lo gain_d_hi "
            "gain_e gain_e_lo gain_e_hi d2_avg d2_avg_lo d2_avg_hi realised realised_lo realised_hi "
            "shift_d shift_d_lo shift_d_hi shift_e shift_e_lo shift_e_hi auroc_e auroc_e_lo auroc_e_hi "
            "auroc_d auroc_d_lo auroc_d_hi auroc_avg auroc_avg_lo auroc_avg_hi auroc_gain auroc_gain_lo "
            "auroc_gain_hi auroc_gain_p adjusted_d adjusted_d_lo adjusted_d_hi adjusted_e adjusted_e_lo "
            "adjusted_e_hi bits_d bits_d_lo bits_d_hi bits_e bits_e_lo bits_e_hi loss_e loss_d "
            "threshold_e threshold_d threshold_avg"
        ),
        "b": "avg_beats_e? avg_beats_d?",
    },
    "pair_gain": {
        "s": "ood tap_a tap_b",
        "i": "level n_id n_ood",
        "f": "lam auroc gain best_single",
        "b": "straddles",
    },
    "separation": {
        "i": "level tap_index resolution d n_id n_ood draws",
        "s": "tap region ood",
        "f": (
            "depth lam requested delta delta_lo delta_hi mean_shift mean_shift_lo mean_shift_hi "
            "variance_change variance_change_lo variance_change_hi var_id var_ood predicted bound auroc "
            "lo hi participation_ratio d_eff var_gauss var_ratio var_ratio_lo var_ratio_hi"
        ),
    },
    "top_channels": {
        "s": "ood tap",
        "i": "level k n_id n_ood",
        "f": "lam auroc lo hi",
    },
    "cell_heads": {
        "s": "ood tap head note",
        "i": "level n_id n_ood",
        "f": "lam auroc lo hi difference difference_lo difference_hi",
    },
    "stability": {
        "s": "set role tap region",
        "i": "level tap_index resolution n draws",
        "f": (
            "lam requested depth icc_features icc_features_lo icc_features_hi icc_scores icc_scores_lo "
            "icc_scores_hi spearman spearman_lo spearman_hi"
        ),
    },
    "local_law": {
        "f": (
            "lam b b_over_a depth within within_lo within_hi icc icc_lo icc_hi local_slope local_slope_lo "
            "local_slope_hi slope slope_lo slope_hi slope_lam radius radius_lo radius_hi"
        ),
        "s": "tap region",
        "i": "tap_index n_id draws",
        "b": "radius_end",
    },
    "drift": {
        "i": "level tap_index n_id",
        "f": "lam requested depth drift lo hi own own_lo own_hi",
        "s": "tap region cause",
    },
    "proxies": {
        "s": "proxy tap region",
        "i": "level tap_index n",
        "f": "lam delta var_id var_proxy predicted auroc lo hi",
    },
    "prediction": {
        "s": "ood tap region left_out",
        "i": "level tap_index n_proxy n_id n_ood",
        "f": "lam predicted auroc lo hi spearman spearman_lo spearman_hi",
    },
    "regret": {
        "s": "ood policy tap? best_tap? note",
        "i": "level? best_level? n_id n_ood",
        "f": "lam auroc lo hi best_auroc best_lam regret regret_lo regret_hi",
    },
    "controls": {
        "i": "level tap_index seed? n_id n_ood",
        "f": "lam auroc lo hi",
        "s": "tap region control ood",
    },
    "excess": {
        "i": "level tap_index resolution draws n_id n_ood",
        "f": "lam requested depth trained control_auroc seed_sd excess lo hi p",
        "s": "tap region control ood",
    },
    "best_excess": {
        "s": "control ood",
        "f": "trained trained_lo trained_hi auroc auroc_lo auroc_hi excess lo hi p",
        "i": "draws n_id n_ood",
    },
    "image_statistics": {
        "s": "statistic note ood",
        "f": "auroc lo hi",
        "i": "n_id n_ood",
    },
    "ablation": {
        "s": "ood lams taps",
        "f": "shift auroc sd lo hi",
        "i": "levels n_taps draws n_id n_ood n_train",
    },
    "alignment_curves": {
        "f": "lam native score_norm score_norm_se perceptual perceptual_se",
        "i": "n",
    },
    "level_pictures": {
        "s": "role dataset image_id",
        "i": "level",
        "x": "png",
    },
    "cost": {
        "s": "tap device",
        "f": "depth ms ms_lo ms_hi",
        "i": "repeats batch",
    },
    "alignment_levels": {
        "s": "variant",
        "i": "index",
        "f": "requested lam native a b",
        "b": "reachable",
    },
    "alignment_maps": {
        "s": "variant ood tap",
        "i": "index n_id n_ood",
        "f": "requested lam auroc lo hi",
    },
    "sensitivity": {
        "s": "variant baseline ood best_tap baseline_tap",
        "f": (
            "spearman spearman_lo spearman_hi best_auroc baseline_auroc moved_depth cost_of_moving "
            "cost_of_moving_lo cost_of_moving_hi cfs_auroc cfs_lo cfs_hi dec_auroc cfs_minus_dec "
            "cfs_minus_dec_lo cfs_minus_dec_hi cfs_place baseline_place best_requested best_lam "
            "baseline_requested baseline_lam"
        ),
        "i": "cells moved_levels n_id n_ood",
    },
    "conditioning": {
        "s": "variant ood tap",
        "f": "offset lam told_lam auroc lo hi loss loss_lo loss_hi",
        "i": "level n_id n_ood",
    },
}
