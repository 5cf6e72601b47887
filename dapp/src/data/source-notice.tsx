import { Notice } from "../ui/badge.tsx";
import { useSource } from "./source.ts";

/** Says when figures come from the chain itself, and why. */
export function SourceNotice() {
  const source = useSource();
  if (source.kind !== "chain") return null;
  return (
    <Notice tone="waiting" title={source.why}>
      Figures are read from the chain itself: slower, and as true as the endpoint that is asked.
    </Notice>
  );
}
