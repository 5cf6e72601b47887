import { useCallback, useEffect, useRef, useState } from "react";
import type { CallOptions } from "../engine/client.ts";
import type { Progress } from "../engine/protocol.ts";

/** Something that is computed, from its start to its end. */
export type Run<T> =
  | { readonly state: "idle" }
  | { readonly state: "running"; readonly progress: Progress | undefined }
  | { readonly state: "done"; readonly output: T }
  | { readonly state: "failed"; readonly error: unknown };

export type Runner<T> = {
  readonly run: Run<T>;
  /** Begins; what was under way is given up. */
  readonly start: (work: (options: CallOptions) => Promise<T>) => void;
  readonly cancel: () => void;
};

/** Runs one thing at a time, and gives it up when the page is left. */
export function useRun<T>(): Runner<T> {
  const [run, setRun] = useState<Run<T>>({ state: "idle" });
  const current = useRef<AbortController>(undefined);
  useEffect(() => () => current.current?.abort(), []);

  const start = useCallback((work: (options: CallOptions) => Promise<T>) => {
    current.current?.abort();
    const controller = new AbortController();
    current.current = controller;
    const { signal } = controller;
    const show = (next: Run<T>) => {
      if (!signal.aborted) setRun(next);
    };
    show({ state: "running", progress: undefined });
    work({ signal, onProgress: (progress) => show({ state: "running", progress }) }).then(
      (output) => show({ state: "done", output }),
      (error: unknown) => show({ state: "failed", error }),
    );
  }, []);

  const cancel = useCallback(() => {
    current.current?.abort();
    setRun({ state: "idle" });
  }, []);

  return { run, start, cancel };
}
