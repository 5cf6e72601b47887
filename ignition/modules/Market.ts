import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { jobsModule } from "./Jobs.ts";
import type { storageModule } from "./Storage.ts";

const hour = 3_600;

/** Where orders meet bids, above the given storage module. Price feeds are listed later (`Market.setFeed`). */
export const marketModule = (storage: ReturnType<typeof storageModule>) =>
  buildModule("Market", (m) => {
    const { access, token, staking, datasets, retrieval } = m.useModule(storage);
    const { escrow, jobs } = m.useModule(jobsModule(storage));
    const times = {
      leastWindow: m.getParameter<number>("leastWindow", hour),
      grace: m.getParameter<number>("grace", hour),
    };
    return {
      market: m.contract("Market", [access, token, staking, jobs, escrow, datasets, retrieval, times]),
    };
  });
