/**
 * What the Lantern Room sells. Prices are in cents, so that sums stay exact.
 *
 * @typedef {object} Product
 * @property {string} sku
 * @property {string} name
 * @property {number} cents
 * @property {string} image   path relative to the page
 * @property {string} alt
 * @property {string} line    one sentence for the shelf
 * @property {string} story   a few sentences for the product page
 * @property {string[]} facts
 */

export const CURRENCY = "EUR";

/** @type {Product[]} */
export const products = [
  {
    sku: "LAMP-01",
    name: "Fresnel table lamp",
    cents: 14800,
    image: "images/lamp.svg",
    alt: "A table lamp with a ribbed glass lens, lit",
    line: "A small lens that makes one bulb enough for the whole table.",
    story:
      "The big lens upstairs throws its light 21 miles. This one throws it across a dinner table, softly, in rings. Pressed glass, a brass foot, and a dimmer that turns as smoothly as the clockwork it is copied from.",
    facts: ["Pressed glass, brass foot", "31 cm high, 1.9 kg", "Warm bulb included"],
  },
  {
    sku: "MUG-02",
    name: "Storm mug",
    cents: 2400,
    image: "images/mug.svg",
    alt: "A striped stoneware mug with steam rising from it",
    line: "Wide at the bottom, because tables here are not always level.",
    story:
      "Thrown with a foot so broad that it stays put in a gale. Holds a serious amount of tea, keeps it hot for the length of a shipping forecast, and has a handle for a gloved hand.",
    facts: ["Stoneware, 450 ml", "Dishwasher safe", "Stripes painted by hand, so never straight"],
  },
  {
    sku: "BLANKET-03",
    name: "Watch blanket",
    cents: 9600,
    image: "images/blanket.svg",
    alt: "A folded wool blanket with red and navy bands",
    line: "Wool, heavy, and long enough for two keepers on one bench.",
    story:
      "Woven for the middle watch, midnight to four, when the stove has gone down and nobody wants to get up and see to it. One side smooth, one side brushed. It smells of sheep for a week and then of home.",
    facts: ["Pure new wool, 140 × 200 cm", "Woven 12 miles from the light", "Air it, do not wash it"],
  },
  {
    sku: "TEA-04",
    name: "Night-watch tea",
    cents: 1250,
    image: "images/tea.svg",
    alt: "A round tin of tea with a crescent moon on its label",
    line: "Black, smoky, and not to be taken after ten unless on duty.",
    story:
      "Assam for the spine, a little smoke for the mood. The recipe was pencilled inside a cupboard door in 1931 by someone who signed only with a drawing of a puffin.",
    facts: ["125 g loose leaf in a tin", "About 50 pots", "The tin is good for buttons afterwards"],
  },
  {
    sku: "GANSEY-05",
    name: "Fog gansey",
    cents: 18900,
    image: "images/gansey.svg",
    alt: "A navy knitted jumper with a cable pattern",
    line: "Knitted tight enough to turn the weather away at the door.",
    story:
      "A fisherman's jumper, the same front and back so that it can be pulled on in the dark. Five-ply worsted, knitted in the round, with the pattern of this stretch of coast: two ropes and a ladder.",
    facts: [
      "Five-ply worsted wool",
      "Sizes by appointment; this one fits most",
      "Repairs are free, for ever",
    ],
  },
  {
    sku: "BELL-06",
    name: "Pocket fog bell",
    cents: 5800,
    image: "images/bell.svg",
    alt: "A small brass bell with a knotted cord",
    line: "For calling people in to supper, or ships away from rocks.",
    story:
      "Cast in sand from old fittings, so every one rings a slightly different note. The cord ends in a monkey's fist. Please do not ring it in a fog unless you mean it.",
    facts: ["Cast brass, 9 cm", "Audible for about half a mile", "Cord knotted in the shop"],
  },
];

/**
 * @param {string | null} sku
 * @returns {Product | undefined}
 */
export const productBySku = (sku) => products.find((product) => product.sku === sku);

const money = new Intl.NumberFormat("en-IE", { style: "currency", currency: CURRENCY });

/**
 * @param {number} cents
 * @returns {string} for people: "€14.50"
 */
export const price = (cents) => money.format(cents / 100);
