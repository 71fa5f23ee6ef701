"""``panecho watch``: predicts each new study of a PACS, and stores its reports there."""
