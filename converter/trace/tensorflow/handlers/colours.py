"""Colours: red, green, blue; and hue, saturation, value. All between 0 and 1, on the last axis."""

from __future__ import annotations

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("RGBToHSV")
def rgb_to_hsv(write: NodeWriter, image: Value) -> Value:
    """Hue counts from red, over green at 1/3 and blue at 2/3, back to red."""
    return write.Concat(*hue_saturation_value(write, image), axis=-1)


@translates("HSVToRGB")
def hsv_to_rgb(write: NodeWriter, image: Value) -> Value:
    """The inverse of `rgb_to_hsv`."""
    return red_green_blue(write, *write.Split(image, axis=-1, num_outputs=3, outputs=3))


@translates("AdjustSaturation")
def adjust_saturation(write: NodeWriter, image: Value, factor: Value) -> Value:
    """Multiply the saturation, which stays between 0 and 1."""
    hue, saturation, value = hue_saturation_value(write, image)
    scaled = write.Mul(saturation, write.cast(factor, write.element(image)))
    limited = write.Clip(scaled, write.like(0, image), write.like(1, image))
    return red_green_blue(write, hue, limited, value)


def hue_saturation_value(write: NodeWriter, image: Value) -> tuple[Value, Value, Value]:
    """Return the three as parts of one channel each."""
    red, green, blue = write.Split(image, axis=-1, num_outputs=3, outputs=3)
    zero, one = write.like(0, image), write.like(1, image)
    value = write.Max(red, green, blue)
    spread = write.Sub(value, write.Min(red, green, blue))
    grey = write.Equal(spread, zero)
    saturation = write.Where(
        write.Greater(value, zero),
        write.Div(spread, write.Where(write.Greater(value, zero), value, one)),
        zero,
    )
    sixth = write.Div(write.like(1 / 6, image), write.Where(grey, one, spread))

    def part(first: Value, second: Value, start: float) -> Value:
        return write.Add(write.Mul(write.Sub(first, second), sixth), write.like(start, image))

    hue = write.Where(
        write.Equal(red, value),
        part(green, blue, 0),
        write.Where(write.Equal(green, value), part(blue, red, 2 / 6), part(red, green, 4 / 6)),
    )
    hue = write.Where(grey, zero, hue)
    return write.Where(write.Less(hue, zero), write.Add(hue, one), hue), saturation, value


def red_green_blue(write: NodeWriter, hue: Value, saturation: Value, value: Value) -> Value:
    """Put the three colours together."""
    numbers = {number: write.like(number, hue) for number in (0, 1, 2, 3, 4, 6)}
    around = write.Mul(hue, numbers[6])

    def away(centre: int) -> Value:
        return write.Abs(write.Sub(around, numbers[centre]))

    shares = (
        write.Sub(away(3), numbers[1]),
        write.Sub(numbers[2], away(2)),
        write.Sub(numbers[2], away(4)),
    )
    white = write.Sub(numbers[1], saturation)
    colours = [
        write.Mul(
            write.Add(white, write.Mul(saturation, write.Clip(share, numbers[0], numbers[1]))),
            value,
        )
        for share in shares
    ]
    return write.Concat(*colours, axis=-1)
