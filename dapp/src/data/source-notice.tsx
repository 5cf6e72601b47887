import { Notice } from "../ui/badge.tsx";
import { useSource } from "./source.ts";

/** Says when figures come from the chain itself, and why; and when the chain does not answer. */
export function SourceNotice() {
  const source = useSource();
  if (source.kind === "index" && source.isUnchecked) {
    return (
      <Notice tone="waiting" title="The chain does not answer.">
        Figures come from the subgraph; how new they are cannot be told, and nothing can be sent, until one of
        the network's endpoints answers.
      </Notice>
    );
  }
  if (source.kind !== "chain") return null;
  return (
    <Notice tone="waiting" title={source.why}>
      {source.isSilent === true
        ? "There is nowhere to read figures from until one of them does."
        : "Figures are read from the chain itself: slower, and as true as the endpoint that is asked."}
    </Notice>
  );
}
