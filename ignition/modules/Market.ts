import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import { jobsModule } from "./Jobs.ts";
import type { storageModule } from "./Storage.ts";

/** Where orders meet bids, above the given storage module. Price feeds are listed later (`Market.setFeed`). */
export const marketModule = (storage: ReturnType<typeof storageModule>) =>
  buildModule("Market", (m) => {
    const { access, token, staking, datasets } = m.useModule(storage);
    const { escrow, jobs } = m.useModule(jobsModule(storage));
    const leastWindow = m.getParameter<number>("leastWindow", 3_600);
    return { market: m.contract("Market", [access, token, staking, jobs, escrow, datasets, leastWindow]) };
  });
