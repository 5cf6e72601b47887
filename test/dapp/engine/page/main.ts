import { Engine } from "../../../../dapp/src/engine/client.ts";

// The tests drive the page's engines from outside.
Object.assign(globalThis, { Engine, engine: new Engine() });
