import { type PointerEvent, useRef } from "react";
import { Button } from "../ui/button.tsx";
import styles from "./compute.module.css";
import type { Drawing } from "./raster.ts";

const size = 280;
/** Width of the pen: a digit is a few strokes of about a tenth of its height. */
const pen = 26;

/** A square to draw on; says what is there after every stroke. Whoever cannot draw can take a sample instead. */
export function DrawingPad({
  onDrawn,
  onClear,
}: {
  onDrawn: (drawing: Drawing) => void;
  onClear: () => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef(false);

  const at = ({ clientX, clientY }: PointerEvent) => {
    const { left, top, width, height } = canvas.current!.getBoundingClientRect();
    return [((clientX - left) / width) * size, ((clientY - top) / height) * size] as const;
  };
  const context = () => canvas.current!.getContext("2d", { willReadFrequently: true })!;

  const begin = (event: PointerEvent) => {
    drawing.current = true;
    canvas.current!.setPointerCapture(event.pointerId);
    const pencil = context();
    pencil.lineCap = "round";
    pencil.lineJoin = "round";
    pencil.lineWidth = pen;
    pencil.strokeStyle = getComputedStyle(canvas.current!).color;
    pencil.beginPath();
    pencil.moveTo(...at(event));
    pencil.lineTo(...at(event));
    pencil.stroke();
  };
  const go = (event: PointerEvent) => {
    if (!drawing.current) return;
    context().lineTo(...at(event));
    context().stroke();
  };
  const end = () => {
    if (!drawing.current) return;
    drawing.current = false;
    const { data } = context().getImageData(0, 0, size, size);
    // Ink is what is not transparent, whatever colour the theme gives it.
    const ink = new Uint8ClampedArray(size * size);
    for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i + 3]!;
    onDrawn({ ink, width: size, height: size });
  };

  return (
    <div className={styles.pad}>
      <canvas
        ref={canvas}
        width={size}
        height={size}
        className={styles.canvas}
        role="img"
        aria-label="Draw a digit here"
        onPointerDown={begin}
        onPointerMove={go}
        onPointerUp={end}
        onPointerCancel={end}
      />
      <Button
        onClick={() => {
          context().clearRect(0, 0, size, size);
          onClear();
        }}
      >
        Clear
      </Button>
    </div>
  );
}
