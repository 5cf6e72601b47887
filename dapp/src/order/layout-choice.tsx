import { Choice } from "../ui/field.tsx";
import type { OrderForm } from "./form.ts";

type Props = {
  /** Of one image. */
  readonly shape: readonly number[];
  readonly value: OrderForm["layout"];
  readonly onChange: (layout: OrderForm["layout"]) => void;
};

/** Which axis of an image is that of its colours. */
export function LayoutChoice({ shape: [first, second, third], value, onChange }: Props) {
  return (
    <Choice
      label="Colours of an image"
      value={value}
      onChange={({ target }) => onChange(target.value as OrderForm["layout"])}
    >
      <option value="NHWC">
        {third} of a pixel together, {first} × {second} pixels
      </option>
      <option value="NCHW">
        {first} one after the other, {second} × {third} pixels
      </option>
    </Choice>
  );
}
