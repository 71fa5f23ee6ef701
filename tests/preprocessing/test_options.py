import json
import re

import pytest

from panecho_preprocessing import ClipOptions, InvalidRequestError


def test_defaults_are_the_published_evaluation() -> None:
    chosen = ClipOptions.from_parameters({})
    assert (chosen.num_clips, chosen.clip_length, chosen.frame_stride, chosen.on_error) == (4, 16, 1, "skip")


def test_parameters_arrive_as_triton_hands_them_over() -> None:
    sent = json.loads('{"num_clips": "2", "clip_length": 8.0, "frame_stride": 3, "on_error": "fail"}')
    assert ClipOptions.from_parameters(sent) == ClipOptions(num_clips=2, clip_length=8, frame_stride=3, on_error="fail")
    assert ClipOptions.from_parameters({"mask": "region", "frame_rate": "25", "max_frames": "100"}) == ClipOptions(
        mask="region", frame_rate=25, max_frames=100
    )


@pytest.mark.parametrize("value", ["auto", "", True])
def test_mask_knows_four_words(value: object) -> None:
    words = 'must be "published" or "sector" or "region" or "none"'
    with pytest.raises(InvalidRequestError, match=re.escape(f"mask={value!r}: {words}")):
        ClipOptions.from_parameters({"mask": value})


@pytest.mark.parametrize(
    ("parameters", "dicom", "video"),
    [
        ({}, ("sector", "none", "keep"), ("none", "none", "keep")),
        ({"framing": "auto"}, ("sector", "none", "keep"), ("none", "none", "keep")),
        ({"framing": "masked"}, ("sector", "none", "keep"), ("sector", "none", "keep")),
        ({"framing": "published"}, ("published", "none", "grey"), ("published", "none", "grey")),
        ({"framing": "tight"}, ("sector", "region", "keep"), ("sector", "region", "keep")),
        ({"framing": "whole"}, ("none", "none", "keep"), ("none", "none", "keep")),
        ({"crop": "region"}, ("sector", "region", "keep"), ("none", "region", "keep")),
        ({"framing": "published", "colour": "keep"}, ("published", "none", "keep"), ("published", "none", "keep")),
        (
            {"framing": "tight", "mask": "none", "crop": "none", "colour": "grey"},
            ("none", "none", "grey"),
            ("none", "none", "grey"),
        ),
    ],
)
def test_framing_names_a_combination_and_its_parts_change_it(
    parameters: dict[str, str], dicom: tuple[str, ...], video: tuple[str, ...]
) -> None:
    options = ClipOptions.from_parameters(parameters)
    assert options.policy(is_prepared=False) == dicom
    assert options.policy(is_prepared=True) == video


def test_decode_scale_knows_two_words() -> None:
    assert ClipOptions.from_parameters({"decode_scale": "reduced"}).decode_scale == "reduced"
    with pytest.raises(InvalidRequestError, match=r'^decode_scale=\'half\': must be "full" or "reduced"$'):
        ClipOptions.from_parameters({"decode_scale": "half"})


@pytest.mark.parametrize("value", [0, -1, 201, "fast", "nan", float("inf"), True, []])
@pytest.mark.parametrize("name", ["frame_rate", "min_frame_rate"])
def test_frame_rate_is_a_rate(name: str, value: object) -> None:
    with pytest.raises(InvalidRequestError, match=rf"^{name}=.*: must be frames per second, from 1 to 200$"):
        ClipOptions.from_parameters({name: value})


@pytest.mark.parametrize(
    ("value", "chosen"),
    [(True, True), ("true", True), (1, True), ("1", True), (False, False), ("False", False), (0, False)],
)
def test_key_frames_are_requested_in_any_usual_way(value: object, *, chosen: bool) -> None:
    assert ClipOptions.from_parameters({"key_frames": value}).key_frames is chosen


@pytest.mark.parametrize("value", ["yes", "", None, 2, []])
def test_key_frames_are_true_or_false(value: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"^key_frames=.*: must be true or false$"):
        ClipOptions.from_parameters({"key_frames": value})


def test_parameters_of_the_server_are_passed_over() -> None:
    others = {"triton_enable_empty_final_response": True, "sequence_id": 7, "priority": 1, "timeout": 5}
    assert ClipOptions.from_parameters(others) == ClipOptions()


@pytest.mark.parametrize(
    "value", [True, None, "four", "4.5", "", "0x4", "٤", "4_0", 2.5, float("nan"), float("inf"), []]
)  # among them an Arabic digit, which int() would take
def test_what_is_not_a_whole_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"^num_clips=.*: must be a whole number from 1 to 32$"):
        ClipOptions.from_parameters({"num_clips": value})


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("num_clips", 0, 32),
        ("num_clips", "-1", 32),
        ("num_clips", 33, 32),
        ("num_clips", 10**30, 32),
        ("clip_length", 65, 64),
        ("frame_stride", 17.0, 16),
        ("max_frames", 0, 100_000),
    ],
)
def test_out_of_range_names_field_value_and_limit(name: str, value: object, limit: int) -> None:
    with pytest.raises(InvalidRequestError, match=rf"^{name}=\S+: must be a whole number from 1 to {limit}$"):
        ClipOptions.from_parameters({name: value})


@pytest.mark.parametrize("value", ["skipp", "", None, 1])
def test_on_error_knows_two_words(value: object) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(f'on_error={value!r}: must be "skip" or "fail"')):
        ClipOptions.from_parameters({"on_error": value})


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("num_clip", "num_clips"),
        ("numClips", "num_clips"),
        ("NUM_CLIPS", "num_clips"),
        ("clip_len", "clip_length"),
        ("frame-stride", "frame_stride"),
        ("onerror", "on_error"),
    ],
)
def test_a_misspelt_option_is_not_passed_over(misspelt: str, meant: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^unknown parameter '{misspelt}': did you mean {meant}\\?$"):
        ClipOptions.from_parameters({misspelt: 4})


def test_an_unknown_parameter_is_not_passed_over() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        ClipOptions.from_parameters({"threshold": 1})
    assert str(refused.value) == (
        "unknown parameter 'threshold': there are num_clips, clip_length, frame_stride, frame_rate, max_frames, "
        "min_frame_rate, framing, mask, crop, colour, decode_scale, key_frames, on_error, unusable_rows"
    )


def test_options_made_in_python_are_checked_too() -> None:
    with pytest.raises(InvalidRequestError, match="clip_length=0"):
        ClipOptions(clip_length=0)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        ClipOptions.from_parameters({"num_clips": "9" * 10_000})
    assert len(str(refused.value)) < 120
