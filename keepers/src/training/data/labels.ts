import { DatasetError } from "./errors.ts";
import type { LabelField } from "./types.ts";

/** The label of the object that begins at `start`: unsigned, little-endian. */
export function labelAt(objects: Uint8Array, start: number, { offset, bytes }: LabelField): number {
  let label = 0;
  for (let i = bytes - 1; i >= 0; i--) label = label * 256 + objects[start + offset + i]!;
  return label;
}

/** Whether an object's label, from `start` on, names one of the classes. */
export function isClass(objects: Uint8Array, start: number, field: LabelField): boolean {
  return labelAt(objects, start, field) < field.classes;
}

/** @throws DatasetError that names dataset and object when a label is no class */
export function checkLabel(name: string, index: number, object: Uint8Array, field: LabelField): void {
  if (isClass(object, 0, field)) return;
  const label = labelAt(object, 0, field);
  throw new DatasetError(
    `${name}, object ${index}: its label ${label} is none of the ${field.classes} classes (0 to ${field.classes - 1}).`,
    { next: "Correct the label, or set target.classes to the number of classes." },
  );
}
