export { AssayDrandOnToken as default } from "./Assay.ts";
