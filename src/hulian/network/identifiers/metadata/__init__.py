"""What a record may say, who may read and change it value by value, and how records are found by what they say."""
