// The typed field groups of profile records: what the official schema takes compiles, what it refuses does not.

import { type Consents, createInstance, type Person, type ProfileXdm } from "xdm-beacon";
import golden from "../golden/profiles/person-contact-consents.json";

const beacon = createInstance();

const person: Person = {
  name: {
    courtesyTitle: "Ms",
    firstName: "Ada",
    middleName: "K",
    lastName: "Sample",
    suffix: "MSc",
    fullName: "Ada Sample",
  },
  birthDate: "1990-12-10",
  birthDayAndMonth: "12-10",
  birthYear: 1990,
  gender: "female",
  maritalStatus: "single",
  nationality: "CH",
};

const consents: Consents = {
  collect: { val: "y" },
  share: { val: "n" },
  personalize: { content: { val: "LI" } },
  marketing: {
    preferred: "email",
    any: { val: "u", time: new Date(), reason: "newsletter" },
    email: {
      val: "y",
      subscriptions: { weekly: { val: "y", topics: ["lamps"], subscribers: { "ada@shop.example": {} } } },
    },
    postalMail: { val: "n", time: "2025-11-20T10:15:30Z" },
  },
  idSpecific: {
    Email: { "ada@shop.example": { marketing: { email: { val: "y" } }, adID: { val: "n", idType: "GAID" } } },
  },
  metadata: { time: "2025-11-20T10:15:30Z" },
};

export async function right(): Promise<void> {
  await beacon("sendProfile", {
    xdm: {
      identityMap: { CRM: [{ id: "c-1001", primary: true, authenticatedState: "authenticated" }] },
      person,
      personalEmail: { address: "ada@shop.example", type: "personal", status: "active", primary: true },
      workEmail: { address: "ada@work.example", type: "a type of our own", status: "and a status" },
      mobilePhone: { number: "791234567", countryCode: "41", validity: "consistent" },
      workPhone: { number: "441234567", extension: "12" },
      homeAddress: { street1: "Lane 1", city: "Zurich", stateProvince: "CH-ZH", _schema: { latitude: 47.4 } },
      workAddress: { countryCode: "CH", lastVerifiedDate: "2025-11-20" },
      organizations: ["Sample Ltd"],
      consents,
      // Fields of other groups, and a tenant's own.
      loyalty: { loyaltyID: ["1"] },
      _tenant: { customerID: "1" },
    },
  });
  // A record that the official schema takes, as JSON: what it lists is text there, so only its shape is held.
  const { consents: _, person: __, ...contact } = golden;
  const record: Omit<ProfileXdm, "identityMap"> = contact;
  await beacon("sendProfile", { xdm: record, identityMap: { CRM: [{ id: "1" }] } });
}

export async function wrong(): Promise<void> {
  // @ts-expect-error not a gender of XDM
  await beacon("sendProfile", { xdm: { person: { gender: "f" } } });
  // @ts-expect-error a year is a number
  await beacon("sendProfile", { xdm: { person: { birthYear: "1990" } } });
  // @ts-expect-error names are below `name`
  await beacon("sendProfile", { xdm: { person: { firstName: "Ada" } } });
  // @ts-expect-error an address is an object
  await beacon("sendProfile", { xdm: { personalEmail: "ada@shop.example" } });
  // @ts-expect-error misspelled
  await beacon("sendProfile", { xdm: { homeAddress: { street: "Lane 1" } } });
  // @ts-expect-error a code is text
  await beacon("sendProfile", { xdm: { mobilePhone: { countryCode: 41 } } });
  // @ts-expect-error organizations are a list
  await beacon("sendProfile", { xdm: { organizations: "Sample Ltd" } });
  // @ts-expect-error not a consent value
  await beacon("sendProfile", { xdm: { consents: { collect: { val: "yes" } } } });
  // @ts-expect-error a consent is an object
  await beacon("sendProfile", { xdm: { consents: { share: "y" } } });
  // @ts-expect-error `val` is required
  await beacon("sendProfile", { xdm: { consents: { marketing: { email: { time: new Date() } } } } });
  // @ts-expect-error not a channel
  await beacon("sendProfile", { xdm: { consents: { marketing: { preferred: "pigeon" } } } });
  // @ts-expect-error an identity has an id
  await beacon("sendProfile", { xdm: { identityMap: { CRM: [{ primary: true }] } } });
}
