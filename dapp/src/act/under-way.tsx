import { lazy, Suspense, useSyncExternalStore } from "react";
import { Notice } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { type Begun, runner } from "./runner.ts";

const ActionDialog = lazy(() => import("./action-dialog.tsx"));

/** The action that the visitor has begun: its dialog, or a line that leads back to it. */
export function UnderWay() {
  const begun = useSyncExternalStore(runner.subscribe, runner.current);
  if (begun === undefined) return null;
  if (begun.isShown) {
    return (
      <Suspense>
        <ActionDialog begun={begun} />
      </Suspense>
    );
  }
  const [tone, words] = lineOf(begun);
  return (
    <Notice tone={tone} title={`${begun.action.title}: ${words}`}>
      <Button onClick={() => runner.show()}>Come back to it</Button>{" "}
      {begun.phase.kind !== "asking" && begun.phase.kind !== "sent" && (
        <Button onClick={() => runner.leave()}>Leave it</Button>
      )}
    </Notice>
  );
}

function lineOf({ phase }: Begun): readonly ["waiting" | "healthy" | "wrong", string] {
  switch (phase.kind) {
    case "asking":
      return ["waiting", "your wallet has not answered yet"];
    case "sent":
      return ["waiting", "it is sent, and waits for its block"];
    case "ready":
      return ["waiting", "its next step waits for you"];
    case "over":
      return ["healthy", "it is done"];
    default:
      return ["wrong", "it did not happen"];
  }
}
