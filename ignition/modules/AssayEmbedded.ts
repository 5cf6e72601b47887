export { AssayCommitReveal as default } from "./Assay.ts";
