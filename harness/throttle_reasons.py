"""Why a GPU's clocks are held down, in words. Pure: NVML's bits in, words out."""

from typing import Final

POWER_CAP: Final = "power cap"
HARDWARE_SLOWDOWN: Final = "hardware slowdown"
SOFTWARE_THERMAL: Final = "software thermal"
HARDWARE_THERMAL: Final = "hardware thermal"
POWER_BRAKE: Final = "power brake"
RELIABILITY: Final = "reliability"

# Bits of nvmlDeviceGetCurrentClocksEventReasons; 1 is idle, which slows nobody down.
_THROTTLE: Final = {
    0x002: "application clocks",
    0x004: POWER_CAP,
    0x008: HARDWARE_SLOWDOWN,
    0x010: "sync boost",
    0x020: SOFTWARE_THERMAL,
    0x040: HARDWARE_THERMAL,
    0x080: POWER_BRAKE,
    0x100: "display clocks",
    0x200: "board limit",
    0x400: RELIABILITY,
}
_IDLE: Final = 0x001


def throttle_words(reasons: int) -> list[str]:
    """A clock event bit mask in words, idle left out; bits that are not known are given as a number."""
    words = [word for bit, word in _THROTTLE.items() if reasons & bit]
    rest = reasons & ~(sum(_THROTTLE) | _IDLE)
    return [*words, f"reason {rest:#x}"] if rest else words
