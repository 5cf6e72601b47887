import { join } from "node:path";
import { root } from "../setup.ts";

/** Everything that a run writes is below this folder. */
export const workFolder = join(root, ".assay", "mutation");
/** Sources with their mutants, under the paths that they have in the repository. */
export const mergedFolder = join(workFolder, "sources");
export const artifactsFolder = join(workFolder, "artifacts");
