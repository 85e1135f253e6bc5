"""The names that random models and fields have. They meet often, as in real projects."""

APPS = ("farm", "shop", "crew")
MODELS = {
    "farm": ("Apple", "Beet", "Carrot", "Dill", "Endive", "Fennel", "Grape"),
    "shop": ("Hat", "Iron", "Jug", "Kettle", "Lamp", "Mug", "Net"),
    "crew": ("Olga", "Petra", "Quinn", "Rosa", "Sven", "Tim", "Ugo"),
}
FIELDS = ("name", "size", "code", "made", "note", "kind", "flag", "price", "spot", "tags")
