import { Engine } from "../engine/client.ts";

let engine: Engine | undefined;

/** The page's engine: one worker, which starts when something is first computed. */
export function theEngine(): Engine {
  engine ??= new Engine();
  return engine;
}
