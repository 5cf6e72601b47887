import { type ReactNode, Suspense } from "react";
import { Boundary } from "./boundary.tsx";
import { Skeleton } from "./states.tsx";

/** A part of a page that is loaded when the page is there; the page stays when it cannot be had. */
export function Later({ children }: { children: ReactNode }) {
  return (
    <Boundary what="This part of the page cannot be shown">
      <Suspense fallback={<Skeleton lines={3} />}>{children}</Suspense>
    </Boundary>
  );
}
