"""From the logits of clips to the predictions of videos and of the study; see ``aggregation``."""
