"""Public data sets as tables of labelled videos: one module each, with a function of the folder it was unpacked to."""

from panecho_training.datasets.dataset_rows import DatasetRows
from panecho_training.datasets.echonet_dynamic import echonet_dynamic
from panecho_training.datasets.echonet_lvh import echonet_lvh
from panecho_training.datasets.echonet_pediatric import echonet_pediatric
from panecho_training.datasets.mimic_iv_echo import mimic_iv_echo

__all__ = ["DatasetRows", "echonet_dynamic", "echonet_lvh", "echonet_pediatric", "mimic_iv_echo"]
