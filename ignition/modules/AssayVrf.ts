export { AssayVrf as default } from "./Assay.ts";
