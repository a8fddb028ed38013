"""The words behind the quickstart's recipes: foods by kind, held-out foods, amounts, dishes. Written for anytune, Apache-2.0.

A food is written as it stands in a recipe line. `|` parts its singular from its plural where it is counted.
"""

from __future__ import annotations

__all__ = ["AMOUNTS", "DISHES", "TEST_FOODS", "TRAIN_FOODS"]

TRAIN_FOODS = {
    "herb": "basil, parsley, cilantro, thyme, sage, chives, marjoram",
    "spice": "cumin, cinnamon, paprika, nutmeg, turmeric, ginger, cloves, white pepper",
    "vegetable": (
        "carrot|carrots, onion|onions, tomato|tomatoes, potato|potatoes, zucchini, cucumber|cucumbers, bell pepper|bell peppers, "
        "leek|leeks, beet|beets, turnip|turnips, red onion|red onions, sweet potato|sweet potatoes"
    ),
    "leaf": "spinach, romaine lettuce, cabbage, swiss chard, watercress",
    "fruit": "apple|apples, banana|bananas, peach|peaches, lemon|lemons, orange|oranges, mango|mangoes, plum|plums",
    "berry": "strawberries, blueberries, cherries, green grapes",
    "meat": "chicken breast, ground beef, pork loin, bacon, turkey sausage, lamb shoulder, ham",
    "fish": "salmon, shrimp, cod, tuna, scallops",
    "cheese": "parmesan cheese, cheddar cheese, mozzarella, goat cheese, swiss cheese",
    "nut": "walnuts, almonds, pine nuts, peanuts, cashews",
    "grain": "rice, spaghetti, couscous, oats, egg noodles, bread crumbs, penne",
    "can": "black beans, chickpeas, coconut milk, crushed pineapple, corn, tomato paste",
    "liquid": "olive oil, chicken broth, whole milk, soy sauce, heavy cream, white wine, apple cider, lemon juice",
    "baking": "flour, brown sugar, sugar, cornstarch, baking soda, cocoa powder, powdered sugar",
    "dairy": "butter, sour cream, cream cheese, yogurt",
}

TEST_FOODS = {
    "herb": "dill, tarragon, mint, oregano",
    "spice": "cardamom, coriander, saffron, allspice",
    "vegetable": "eggplant|eggplants, parsnip|parsnips, radish|radishes, shallot|shallots, fennel bulb|fennel bulbs",
    "leaf": "kale, arugula, bok choy",
    "fruit": "pear|pears, lime|limes, apricot|apricots, papaya|papayas",
    "berry": "raspberries, cranberries",
    "meat": "veal, duck legs, venison",
    "fish": "halibut, trout, crab",
    "cheese": "feta, ricotta, gruyere",
    "nut": "pecans, hazelnuts, pistachios",
    "grain": "quinoa, barley, farro, linguine",
    "can": "lentils, artichoke hearts, pumpkin puree",
    "liquid": "maple syrup, honey, vegetable stock, balsamic vinegar",
    "baking": "molasses, tapioca starch, yeast",
    "dairy": "margarine, buttermilk, mascarpone",
}

_SPOONS = ("1 teaspoon", "2 teaspoons", "1/2 teaspoon", "1/4 tsp.", "1 tsp.", "1 tablespoon", "2 tbsp.")
_CUPS = ("1 cup", "2 cups", "1/2 cup", "3/4 cup", "1/3 cup", "1 1/2 cups", "1/4 c.")
_POUNDS = ("1 pound", "2 pounds", "1/2 lb.", "1 lb.", "8 ounces", "12 oz.")

AMOUNTS = {
    "herb": (
        ("1/4 cup", "1/2 cup", "1 bunch", "2 tablespoons", "1 tbsp."),
        ("chopped fresh {}", "fresh {}", "{}, minced", "finely chopped {}", "dried {}"),
    ),
    "spice": (_SPOONS, ("ground {}", "{}", "freshly ground {}", "{}, or to taste", "{}, divided")),
    "vegetable": (
        ("1", "2", "3", "4", "2 large", "3 medium", "4 small"),
        ("{}, diced", "{}, thinly sliced", "{}", "ripe {}", "{}, peeled and cubed", "{}, chopped"),
    ),
    "leaf": (("1 bunch", "1 head", "4 cups", "2 cups", "1 bag"), ("{}, shredded", "torn {}", "{}, rinsed", "baby {}", "{}, chopped")),
    "fruit": (("1", "2", "3", "4", "2 large", "1 small"), ("{}, peeled", "ripe {}", "{}, sliced", "{}, cut into wedges", "firm {}")),
    "berry": (_CUPS, ("fresh {}", "frozen {}", "{}, halved", "sliced {}", "{}, rinsed")),
    "meat": (_POUNDS, ("{}", "{}, trimmed", "lean {}", "{}, cut into strips", "cooked {}", "boneless {}")),
    "fish": (_POUNDS, ("fresh {}", "{}, rinsed", "{}, cut into pieces", "cooked {}", "{}")),
    "cheese": (_CUPS, ("grated {}", "{}, crumbled", "shredded {}", "{}", "freshly grated {}")),
    "nut": (_CUPS, ("chopped {}", "{}, toasted", "{}", "coarsely chopped {}", "salted {}")),
    "grain": (("1 cup", "2 cups", "8 oz.", "1 package", "1 box"), ("{}", "cooked {}", "uncooked {}", "{}, drained")),
    "can": (("1 can", "2 cans", "1 (15 oz.) can", "1 (8 oz.) can", "1 large can"), ("{}", "{}, drained", "{}, undrained", "{}, rinsed")),
    "liquid": (("1 cup", "1/2 cup", "2 tablespoons", "1 tablespoon", "1/4 cup", "3 tbsp."), ("{}", "warm {}", "{}, divided", "good {}")),
    "baking": (("1 cup", "2 cups", "1/2 cup", "2 tablespoons", "3/4 c.", "1 tbsp."), ("{}", "sifted {}", "{}, packed", "{}, divided")),
    "dairy": (("1/2 cup", "1 cup", "2 tablespoons", "1/4 cup", "1/2 c."), ("{}, softened", "{}", "cold {}", "low-fat {}")),
}
"""For each kind of food: amounts, and lines with the food left open."""

DISHES = (
    ("Summer Salad", "leaf cheese liquid"),
    ("Garden Salad", "leaf vegetable nut"),
    ("Picnic Slaw", "leaf fruit dairy"),
    ("Weeknight Skillet", "meat vegetable spice"),
    ("Sunday Roast", "meat herb vegetable"),
    ("Farmhouse Stew", "meat can vegetable"),
    ("Slow Cooker Chili", "meat can spice"),
    ("Grilled Supper", "fish herb liquid"),
    ("Baked Fish Dinner", "fish dairy spice"),
    ("Seaside Chowder", "fish vegetable liquid"),
    ("Easy Pilaf", "grain nut spice"),
    ("One-Pot Dinner", "grain can vegetable"),
    ("Creamy Casserole", "grain cheese meat"),
    ("Sunny Crumble", "fruit baking dairy"),
    ("Holiday Cobbler", "berry baking spice"),
    ("Tea-Time Loaf", "baking nut liquid"),
    ("Breakfast Muffins", "baking berry dairy"),
    ("Morning Smoothie", "fruit berry"),
    ("Quick Dip", "can spice"),
    ("Party Spread", "dairy herb"),
    ("Green Soup", "leaf liquid herb"),
    ("Roasted Side Dish", "vegetable liquid"),
    ("Stuffed Vegetables", "vegetable cheese herb"),
    ("Trail Snack", "nut berry baking"),
    ("Grandma's Bake", "vegetable dairy cheese"),
    ("Winter Compote", "fruit spice liquid"),
    ("Pan Sauce", "liquid dairy"),
    ("Warm Grain Bowl", "grain leaf nut"),
)
"""Title and the kinds of food of each dish."""
