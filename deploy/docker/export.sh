#!/bin/sh
# Entry point of the export image: `panecho export` of the file $CHECKPOINT to $MODEL_REPOSITORY. Without a checkpoint (no
# variable, or an empty file) what is there is kept, and where nothing is, stand-in weights are exported. Arguments are
# further options of `panecho export`.
set -eu
if [ -z "${CHECKPOINT:-}" ] || { [ -f "$CHECKPOINT" ] && [ ! -s "$CHECKPOINT" ]; }; then
    for exported in "$MODEL_REPOSITORY"/*/1/model.pt; do
        if [ -s "$exported" ]; then
            echo "No checkpoint was given: keeping what $MODEL_REPOSITORY holds." >&2
            exit
        fi
    done
    echo "No checkpoint was given: exporting stand-in weights. Their numbers mean nothing clinically." >&2
    exec panecho export --stand-in 0 --model-repository "$MODEL_REPOSITORY" "$@"
fi
if [ ! -r "$CHECKPOINT" ]; then
    echo "panecho-triton: the checkpoint $CHECKPOINT cannot be read by user $(id -u); let others read it: chmod o+r" >&2
    exit 1
fi
exec panecho export --checkpoint "$CHECKPOINT" --model-repository "$MODEL_REPOSITORY" "$@"
