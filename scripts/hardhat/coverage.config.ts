import config from "../../hardhat.config.ts";

/** Instrumented contracts must not end up among those that are deployed: they are kept apart. */
export default {
  ...config,
  paths: { ...config.paths, artifacts: ".assay/coverage/artifacts", cache: ".assay/coverage/cache" },
};
