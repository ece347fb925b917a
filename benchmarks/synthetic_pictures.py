def synthetic_pictures():
    return {}
