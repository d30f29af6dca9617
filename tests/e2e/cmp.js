// A consent manager of the IAB's own parts, for a page of the tests: bundled by webpack, since the parts are modules.

import { CmpApi } from "@iabtechlabtcf/cmpapi";
import { GVL, TCModel, TCString } from "@iabtechlabtcf/core";

const VENDORS = 700;
const PURPOSES = 11;

const numbered = (count, make) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [at + 1, { id: at + 1, ...make(at + 1) }]));

/** A list of vendors that all ask for all purposes. */
const list = {
  gvlSpecificationVersion: 3,
  vendorListVersion: 160,
  tcfPolicyVersion: 5,
  lastUpdated: "2026-11-19T16:00:00Z",
  purposes: numbered(PURPOSES, (id) => ({ name: `Purpose ${id}`, description: "", illustrations: [] })),
  specialPurposes: {},
  features: {},
  specialFeatures: {},
  stacks: {},
  vendors: numbered(VENDORS, (id) => ({
    name: `Vendor ${id}`,
    purposes: Array.from({ length: PURPOSES }, (_, at) => at + 1),
    legIntPurposes: [],
    flexiblePurposes: [],
    specialPurposes: [],
    features: [],
    specialFeatures: [],
    urls: [],
  })),
};

/** The TC string of somebody who agreed to these purposes and vendors. */
window.tcString = (purposes, vendors) => {
  const model = new TCModel(new GVL(list));
  Object.assign(model, {
    cmpId: 300,
    cmpVersion: 1,
    consentScreen: 1,
    consentLanguage: "EN",
    isServiceSpecific: true,
  });
  model.purposeConsents.set(purposes);
  model.vendorConsents.set(vendors);
  return TCString.encode(model);
};

/** Takes over from the stub. What it knows it is told by `update(tcString, uiVisible)`. */
window.openCmp = () => {
  window.cmp = new CmpApi(300, 1, true);
};
