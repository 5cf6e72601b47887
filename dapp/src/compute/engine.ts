import { useEffect } from "react";
import { Engine } from "../engine/client.ts";

let engine: Engine | undefined;

/** The page's engine: one worker, which starts when something is first computed. */
export function theEngine(): Engine {
  engine ??= new Engine();
  return engine;
}

/** Keeps what a part of the page has opened in the worker for as long as that part shows it. */
export function useOpened(isOpened: boolean): void {
  useEffect(() => (isOpened ? theEngine().hold() : undefined), [isOpened]);
}
