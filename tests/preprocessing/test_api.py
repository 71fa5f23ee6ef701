import panecho_preprocessing as package
from panecho_preprocessing import constants
from panecho_preprocessing.errors import VideoErrorCode


def test_public_names_are_these() -> None:
    assert package.__all__ == [
        "CHANNEL_ORDER",
        "CLIP_LENGTH",
        "CROP",
        "FRAME_STRIDE",
        "MAX_CLIP_LENGTH",
        "MAX_FRAME_RATE",
        "MAX_FRAME_STRIDE",
        "MAX_NUM_CLIPS",
        "NUM_CLIPS",
        "RESIZE",
        "ClipOptions",
        "InvalidRequestError",
        "Limits",
        "NoUsableVideoError",
        "PreprocessingError",
        "RequestCancelledError",
        "ShortOfMemoryError",
        "StudyClips",
        "VideoError",
        "VideoErrorCode",
        "available_cores",
        "clip_at",
        "preprocess_study",
        "threads_per_instance",
        "video_clips",
    ]
    assert all(hasattr(package, name) for name in package.__all__)


def test_what_the_published_model_fixes() -> None:
    fixed = (constants.RESIZE, constants.CROP, constants.CLIP_LENGTH, constants.NUM_CLIPS, constants.FRAME_STRIDE)
    assert fixed == (256, 224, 16, 4, 1)
    assert constants.CHANNEL_ORDER == "BGR"


def test_status_codes_are_these() -> None:
    assert [code.value for code in VideoErrorCode] == [
        "EMPTY_FILE",
        "NOT_A_VIDEO",
        "NOT_ULTRASOUND",
        "NOT_TRANSTHORACIC",
        "NOT_A_CINE",
        "DUPLICATE",
        "SPECTRAL_DOPPLER",
        "M_MODE",
        "VOLUME",
        "STRUCTURED_REPORT",
        "WAVEFORM",
        "DICOMDIR",
        "NO_PIXEL_DATA",
        "NO_FRAME_RATE",
        "LOW_FRAME_RATE",
        "UNSUPPORTED_TRANSFER_SYNTAX",
        "BLANK",
        "NEARLY_BLACK",
        "FROZEN",
        "UNSUPPORTED_CODEC",
        "UNSUPPORTED_PIXELS",
        "TOO_LARGE",
        "TRUNCATED",
        "SIZE_MISMATCH",
        "CORRUPT_FRAME",
        "UNREADABLE_DICOM",
        "UNREADABLE_VIDEO",
    ]
