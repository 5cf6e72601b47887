import { Choice } from "../ui/field.tsx";

/** Data and all bundles of a segment: how many may be lost, and what that costs in room. */
export const shapes = {
  "2 of 3": { k: 2, n: 3 },
  "8 of 11": { k: 8, n: 11 },
  "8 of 16": { k: 8, n: 16 },
} as const;
export type Shape = keyof typeof shapes;

export const firstShape: Shape = "8 of 11";

export function ShapeChoice({ value, onChange }: { value: Shape; onChange: (shape: Shape) => void }) {
  return (
    <Choice
      label="Any of these bundles are enough"
      value={value}
      onChange={({ target }) => onChange(target.value as Shape)}
    >
      {Object.keys(shapes).map((each) => (
        <option key={each}>{each}</option>
      ))}
    </Choice>
  );
}
